// The parts of CodeMirror that the page uses.

export { autocompletion } from "@codemirror/autocomplete";
export { history, historyKeymap, isolateHistory, redo, standardKeymap, undo } from "@codemirror/commands";
export { setDiagnostics } from "@codemirror/lint";
export { EditorState, findClusterBreak, Transaction } from "@codemirror/state";
export { Decoration, EditorView, highlightSpecialChars, keymap } from "@codemirror/view";
