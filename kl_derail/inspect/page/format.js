// Numbers worded, elements made. Text goes to the page as text nodes only.

const NONE = "\u2013";

/** A number for people; a dash where there is none. */
function number(value, digits = 2) {
  if (value === undefined || Number.isNaN(value)) return NONE;
  const sign = value < 0 ? "\u2212" : "";
  const size = Math.abs(value);
  return sign + (Number.isFinite(size) ? size.toFixed(digits) : "\u221e");
}

/** Nats: more digits where the number is small. */
function nats(value) {
  const size = Math.abs(value);
  return number(value, size > 0 && size < 0.1 ? 4 : 3);
}

/** A number as it was given, a budget for instance: no digits that it has not. */
function plain(value) {
  return Number.isFinite(value) ? String(value) : number(value);
}

/** Probability from a log-probability. */
function probability(logProb) {
  const value = Math.min(Math.exp(logProb), 1);
  if (Number.isNaN(value)) return NONE;
  return value > 0 && value < 0.001 ? value.toExponential(1) : value.toFixed(3);
}

function updateName(update) {
  return update < 0 ? "evaluation" : `update ${update}`;
}

/** An element with attributes (`text`: its text) and children. */
function make(tag, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

function makeSVG(tag, attributes = {}, text = undefined) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** An option of a radio group made of buttons. */
function choice(label, title, chosen, choose) {
  const button = make("button", {
    type: "button", role: "radio", "aria-checked": String(chosen), text: label, title,
  });
  button.addEventListener("click", choose);
  return button;
}
