/** The help: a searchable list of signals and functions, and a menu of published methods. */

import { element } from "./dom.js";
import { vocabularyOf } from "./vocabulary.js";

/** The signals and functions of `table` as a searchable list; `onPick(piece)` gets what is to be inserted. */
export function helpList(table, onPick) {
  const rows = vocabularyOf(table).map(({ meaning, formula, ...row }) => ({
    ...row,
    about: formula ? `${meaning}: ${formula}` : meaning,
  }));
  const items = rows.map((row) =>
    element(
      "li",
      { "data-words": `${row.spelling} ${row.about}`.toLowerCase() },
      element(
        "button",
        { type: "button", click: () => onPick(row.piece) },
        element("code", {}, row.spelling),
      ),
      element("span", { class: "about" }, row.about, " ", element("span", { class: "range" }, row.range)),
    ),
  );
  const none = element("p", { class: "note", hidden: true }, "Nothing is called that.");
  const search = element("input", {
    id: "help-search",
    type: "search",
    placeholder: "entropy, clip, previous ...",
    input: () => {
      const wanted = search.value.trim().toLowerCase();
      for (const item of items) item.hidden = !item.dataset.words.includes(wanted);
      none.hidden = items.some((item) => !item.hidden);
    },
  });
  return [
    element("p", { class: "row" }, element("label", { for: "help-search" }, "Find"), search),
    element("ul", { class: "help-list", "aria-label": "Signals and functions" }, items),
    none,
  ];
}

/** A menu of published methods; `onPick(method)` gets the chosen one. */
export function methodMenu(methods, onPick) {
  const about = element("p", { class: "note method-about", hidden: true });
  const menu = element(
    "select",
    {
      id: "method",
      change: () => {
        const method = methods.find((one) => one.name === menu.value);
        about.hidden = !method;
        if (!method) return;
        about.replaceChildren(
          element("b", {}, method.name),
          `: ${method.idea}. Known to fail: ${method.fails}.`,
        );
        onPick(method);
      },
    },
    element("option", { value: "" }, "Methods ..."),
    methods.map((method) => element("option", { value: method.name }, method.name)),
  );
  return { menu, about };
}
