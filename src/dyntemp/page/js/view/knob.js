/** A point that can be moved: by mouse, by touch, and by keyboard as a slider. */

import { drawn } from "./dom.js";

/** A knob; `onMove` gets the events of a drag, `onDone` its end, `onKey` keys and `onFocus` the focus. */
export function knob({ onKey, onFocus, onMove, onDone }) {
  let held = false;
  const letGo = () => {
    held = false;
    onDone();
  };
  return drawn(
    "g",
    {
      class: "handle",
      role: "slider",
      tabindex: 0,
      "aria-valuemin": 0,
      "aria-orientation": "vertical",
      keydown: onKey,
      focus: onFocus,
      pointerdown: (event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        event.currentTarget.focus();
        held = true;
        event.preventDefault();
      },
      pointermove: (event) => held && onMove(event),
      pointerup: letGo,
      pointercancel: letGo,
    },
    drawn("circle", { class: "reach", r: 18 }),
    drawn("circle", { class: "knob", r: 7 }),
  );
}
