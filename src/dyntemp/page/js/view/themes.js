/** Light, dark, or as the system has it. */

const KEY = "dyntemp-theme";

/** Let `menu` (a select of "auto", "light" and "dark") decide; the choice is kept where the browser keeps things. */
export function makeThemes(menu) {
  const use = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  menu.value = kept() ?? "auto";
  use(menu.value);
  menu.addEventListener("change", () => {
    use(menu.value);
    keep(menu.value);
  });
}

/** Storage may be refused: from a file, or by settings. */
function kept() {
  try {
    const theme = localStorage.getItem(KEY);
    return ["auto", "light", "dark"].includes(theme) ? theme : null;
  } catch {
    return null;
  }
}

function keep(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // then it lasts as long as the page
  }
}
