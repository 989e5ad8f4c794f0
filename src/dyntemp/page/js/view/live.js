/** The model behind the page: its description, and the texts that it writes token by token. */

import { exactly, lineOf } from "../traces/file.js";

/** The server's description of its model, or null where there is none. */
export async function modelInfo() {
  try {
    const answer = await fetch("/play/info");
    if (!answer.ok) return null;
    const info = await answer.json();
    return info.model ? info : null;
  } catch {
    return null;
  }
}

/** The lines that the server sends for `body`, one object each, until it ends or `signal` stops it. */
export async function* written(body, signal) {
  const answer = await fetch("/play/generate", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: lineOf(body),
    signal,
  });
  if (!answer.ok) throw new Error(await complaint(answer));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (let got = await reader.read(); !got.done; got = await reader.read()) {
      const lines = (rest + got.value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line.trim()) yield recordOf(line);
    }
    if (rest.trim()) yield recordOf(rest);
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** The verdicts of the server on `{policy, vocabulary}`. */
export async function verdictsOn(wanted) {
  const answer = await fetch("/play/verdicts", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(wanted),
  });
  if (!answer.ok) throw new Error(await complaint(answer));
  return (await answer.json()).verdicts;
}

function recordOf(line) {
  const record = JSON.parse(line);
  return record.header ? { ...record, header: exactly(line, record.header) } : record;
}

/** The message of a server's error. */
async function complaint(answer) {
  const text = await answer.text();
  try {
    return saidBy(JSON.parse(text)) || `the server answered ${answer.status}`;
  } catch {
    return `the server answered ${answer.status}: ${text.slice(0, 300)}`;
  }
}

/** The words of an error object. */
export function saidBy(data) {
  const error = data.error ?? data.detail ?? data;
  if (typeof error === "string") return error;
  if (Array.isArray(error)) return error.map((one) => one.msg ?? JSON.stringify(one)).join("; ");
  return error.message ?? JSON.stringify(error);
}
