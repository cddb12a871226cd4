// Elements, made one by one: no text from outside is ever read as markup.

const SVG = 'http://www.w3.org/2000/svg';

/** The element that the page's markup has under an id. */
const byId = (id) => document.getElementById(id);

/**
 * A new element.
 * `attributes` are set as they are; `text` is its text, `on` has listeners by event.
 */
function element(name, attributes = {}, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

/** The same for a drawing. */
function shape(name, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, name), attributes, children);
}

function furnish(node, { text, on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value === true ? '' : value);
    }
  }
  for (const [event, listener] of Object.entries(on)) {
    node.addEventListener(event, listener);
  }
  if (text !== undefined) {
    node.textContent = text;
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Whether a key is pressed for the browser rather than for the page. */
const isShortcut = (event) => event.ctrlKey || event.metaKey || event.altKey;

/** A button that is pressed or not. */
function toggle(attributes, pressed, ...children) {
  const pressing = { type: 'button', 'aria-pressed': String(pressed) };
  return element('button', { ...pressing, ...attributes }, ...children);
}

const setPressed = (button, pressed) => button.setAttribute('aria-pressed', String(pressed));
