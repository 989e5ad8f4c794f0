"""Draws docs/generate.svg, the picture on the README, from a run of the bundled model: `make picture`."""

from html import escape
from pathlib import Path

from dyntemp import generate, load_model
from dyntemp.methods import below_one
from dyntemp.show.colour import Scale
from dyntemp.show.summary import Summary

PROMPT = "Write a short story about a lighthouse keeper."
COLUMNS, LINE, CELL, SIZE, MARGIN = 92, 22, 8.4, 14, 16
GREY = "rgb(128,128,128)"


def main() -> None:
    """Write the picture beside this file."""
    model, policy = load_model(), below_one()
    scale = Scale.of(policy.bounds(model.vocabulary))
    tokens = list(generate(model, PROMPT, policy, max_tokens=110, seed=1))
    summary = Summary.of(tokens)
    command = [(f'$ dyntemp generate --seed 1 -n 110 "{PROMPT}"', GREY)]
    legend = [(f"T {scale.low:.2f} ", GREY)]
    legend += [("━", css(scale, scale.low + (scale.high - scale.low) * cell / 23)) for cell in range(24)]
    legend += [(f" {scale.high:.2f}   {policy}", GREY)]
    text = [(token.text, css(scale, token.temperature)) for token in tokens]
    closing = [(summary.line(0.0, "seed 1"), GREY)]
    lines = [command, legend, [], *wrapped(text), [], closing]
    width, height = COLUMNS * CELL + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    rows = "\n".join(
        f'<text x="{MARGIN}" y="{MARGIN + LINE * (row + 0.75):.1f}" xml:space="preserve">{spans(line)}</text>'
        for row, line in enumerate(lines)
    )
    Path(__file__).with_name("generate.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
        f'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="{SIZE}">\n'
        f"<title>A text whose words are coloured by their temperature, from blue (cold) to orange (hot)</title>\n"
        f"{rows}\n</svg>\n",
        encoding="utf-8",
    )


def css(scale: Scale, temperature: float) -> str:
    """The colour of a temperature as CSS spells it."""
    return "rgb({},{},{})".format(*scale.rgb(temperature))


def wrapped(parts: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The coloured text in lines of at most `COLUMNS`, broken at spaces."""
    characters = [(character, colour) for text, colour in parts for character in text]
    lines: list[list[tuple[str, str]]] = [[]]
    for character, colour in characters:
        if character == "\n":
            lines.append([])
            continue
        lines[-1].append((character, colour))
        if len(lines[-1]) > COLUMNS:
            space = max((at for at, (found, _) in enumerate(lines[-1]) if found == " "), default=COLUMNS - 1)
            lines[-1:] = [lines[-1][:space], lines[-1][space + 1 :]]
    return lines


def spans(line: list[tuple[str, str]]) -> str:
    """The parts of one line, neighbours of one colour joined."""
    joined: list[list[str]] = []
    for text, colour in line:
        if joined and joined[-1][1] == colour:
            joined[-1][0] += text
        else:
            joined.append([text, colour])
    return "".join(f'<tspan fill="{colour}">{escape(text)}</tspan>' for text, colour in joined)


if __name__ == "__main__":
    main()
