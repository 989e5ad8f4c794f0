// Stands for @codemirror/language and @lezer/common, 40 kB of which nothing is called: the page's own lexer colours a
// policy, and a single line has no indentation.

export function getIndentUnit() {
  return 1;
}

function missing() {
  throw new Error("this editor was built without syntax trees");
}

export {
  missing as getIndentation,
  missing as IndentContext,
  missing as indentString,
  missing as indentUnit,
  missing as matchBrackets,
  missing as NodeProp,
  missing as syntaxTree,
};
