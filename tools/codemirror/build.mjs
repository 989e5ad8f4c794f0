// Writes the parts of CodeMirror that the page uses as one of its modules: `npm install`, then `npm run build`.

import { build } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";

const TARGET = "../../src/dyntemp/page/js/vendor/codemirror.js";
const PACKAGE = /^node_modules\/(?:@[^/]+\/)?[^/]+/;

const { metafile, outputFiles } = await build({
  entryPoints: ["parts.js"],
  bundle: true,
  alias: { "@codemirror/language": "./no_syntax.js", "@lezer/common": "./no_syntax.js" },
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
  write: false,
});
const { inputs } = Object.values(metafile.outputs)[0];
const used = Object.keys(inputs).filter((path) => PACKAGE.test(path) && inputs[path].bytesInOutput > 0);
const folders = [...new Set(used.map((path) => PACKAGE.exec(path)[0]))].sort();
writeFileSync(TARGET, `${banner(folders.map(described))}${exported(outputFiles[0].text)}`);

/** A package: its name and version, its copyright, and the text of its licence, which has to be MIT's. */
function described(folder) {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  if (license !== "MIT") throw new Error(`${name} has the licence ${license}: read it, and change the banner`);
  const text = readFileSync(`${folder}/LICENSE`, "utf8").trim();
  return {
    name: `${name} ${version}`,
    copyright: /^Copyright .*$/m.exec(text)[0],
    licence: text.slice(text.indexOf("Permission is hereby granted")),
  };
}

/** A comment with the names of all packages, their copyrights, and each text of a licence once. */
function banner(packages) {
  const each = (field) => [...new Set(packages.map((one) => one[field]))];
  const parts = [
    "Written by tools/codemirror/build.mjs; do not edit.",
    each("name").join("\n"),
    "MIT License",
    each("copyright").join("\n"),
    ...each("licence"),
  ];
  const lines = parts.join("\n\n").split("\n");
  return `/*\n${lines.map((line) => ` * ${line}`.trimEnd()).join("\n")}\n */\n`;
}

/** The module with a line for each export, as the page's other modules have. */
function exported(text) {
  return text.replace(/export\{([^}]*)\};?\s*$/, (_, names) => {
    const pairs = names.split(",").map((pair) => pair.split(" as "));
    return `\n${pairs.map(([inner, outer]) => `export const ${outer} = ${inner};\n`).join("")}`;
  });
}
