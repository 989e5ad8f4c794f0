/** One line of text with colours, completion, a mark under what is wrong, and undo: CodeMirror, as this page uses it. */

import {
  autocompletion,
  Decoration,
  EditorState,
  EditorView,
  findClusterBreak,
  highlightSpecialChars,
  history,
  historyKeymap,
  isolateHistory,
  keymap,
  redo,
  setDiagnostics,
  standardKeymap,
  Transaction,
  undo,
} from "../vendor/codemirror.js";

/** The first argument of a call, without its quotes. */
const FIRST_ARGUMENT = /\(["']?([^,)"']+)/d;

/**
 * An editor of one line.
 *
 * `attributes` are those of its text, `colours(text)` lists its coloured parts and `complete` its completions.
 * `onChange()` is called after each change, and `onEnter()` when Enter accepts no completion.
 */
export class Editor {
  constructor({ attributes, colours, complete, onChange, onEnter }) {
    this.invalid = false;
    this.last = null;
    const changed = () => {
      this.last = "typed";
      onChange();
    };
    const entered = () => {
      onEnter();
      return true;
    };
    this.view = new EditorView({
      extensions: [
        history(),
        highlightSpecialChars(),
        EditorView.lineWrapping,
        EditorState.transactionFilter.of(onOneLine),
        EditorView.decorations.compute(["doc"], ({ doc }) => marksOf(colours(doc.toString()))),
        EditorView.contentAttributes.of(() => ({
          "aria-multiline": "false",
          ...attributes,
          ...(this.invalid ? { "aria-invalid": "true" } : {}),
        })),
        autocompletion({ override: [complete], icons: false }),
        keymap.of([{ key: "Enter", run: entered }, ...historyKeymap, ...standardKeymap]),
        EditorView.domEventHandlers({ drop: hasFiles }),
        EditorView.updateListener.of(({ docChanged }) => docChanged && changed()),
      ],
    });
  }

  get root() {
    return this.view.dom;
  }

  get text() {
    return this.view.state.doc.toString();
  }

  /**
   * Put `text` in place of all that stands there. Undo brings that back, except the emptiness at the beginning; texts that
   * follow each other quickly, as of a knob that is dragged, are one step.
   */
  write(text) {
    const { length } = this.view.state.doc;
    const annotations = [Transaction.addToHistory.of(this.last !== null)];
    if (this.last === "typed") annotations.push(isolateHistory.of("before"));
    this.view.dispatch({
      changes: { from: 0, to: length, insert: text },
      selection: { anchor: text.length },
      annotations,
    });
    this.last = "written";
  }

  /** Put a piece of a policy where the cursor stands. */
  insert(piece) {
    const { from, to } = this.view.state.selection.main;
    this.view.focus();
    this.view.dispatch(insertion(piece, from, to));
  }

  /**
   * Show the text as right or wrong, with a mark at each place `{from, to, message}`, in the units of strings.
   *
   * A mark begins with the letter that an accent at `from` stands on: alone it would have no width.
   */
  judge(right, places = []) {
    this.invalid = !right;
    const faults = places.map(({ from, to, message }) => ({
      from: from < to ? findClusterBreak(this.text, from + 1, false) : from,
      to,
      message,
      severity: "error",
    }));
    this.view.dispatch(setDiagnostics(this.view.state, faults));
  }

  focus() {
    this.view.focus();
  }

  undo() {
    undo(this.view);
  }

  redo() {
    redo(this.view);
  }
}

/** A change that puts `piece` in place of the characters `from` to `to`, with its first argument selected. */
export function insertion(piece, from, to) {
  const [start, end] = FIRST_ARGUMENT.exec(piece)?.indices[1] ?? [piece.length, piece.length];
  return {
    changes: { from, to, insert: piece },
    selection: { anchor: from + start, head: from + end },
    userEvent: "input.complete",
    scrollIntoView: true,
  };
}

function marksOf(parts) {
  return Decoration.set(
    parts.map(({ start, end, colour }) => Decoration.mark({ class: `of-${colour}` }).range(start, end)),
  );
}

/** True where files are dropped, which the page opens. */
function hasFiles({ dataTransfer }) {
  return dataTransfer.files.length > 0;
}

/** Line breaks, as in a text that is pasted, become spaces. */
function onOneLine(transaction) {
  const { newDoc } = transaction;
  const breaks = Array.from({ length: newDoc.lines - 1 }, (_, at) => newDoc.line(at + 1).to);
  if (!breaks.length) return transaction;
  const changes = breaks.map((at) => ({ from: at, to: at + 1, insert: " " }));
  return [transaction, { changes, sequential: true }];
}
