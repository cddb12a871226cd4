// Elements, made one by one: no text from outside is ever read as markup.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * The element that the page has under an id.
 * @template {keyof PageElements} Id
 * @param {Id} id
 */
function byId(id) {
  // A test compares the markup with `PageElements`.
  return /** @type {HTMLElementTagNameMap[PageElements[Id]]} */ (document.getElementById(id));
}

/**
 * What an object holds, by its names: their type is one that `Object.entries` forgets.
 * @template {string} Name
 * @template Value
 * @param {Partial<Record<Name, Value>>} object
 */
const entriesOf = (object) => /** @type {[Name, Value][]} */ (Object.entries(object));

/**
 * A new element.
 * `attributes` are set as they are; `text` is its text, `on` has listeners by event.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} attributes
 * @param {(Node | string | null)[]} children
 */
function element(name, attributes = {}, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

/**
 * The same for a drawing.
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} attributes
 * @param {(Node | string | null)[]} children
 */
function shape(name, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, name), attributes, children);
}

/**
 * @template {Element} New
 * @param {New} node
 * @param {Attributes} attributes
 * @param {(Node | string | null)[]} children
 */
function furnish(node, { text, on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value === true ? '' : String(value));
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

/**
 * The element around the one where something happened, if there is such a one.
 * @param {Event} event
 * @param {string} css
 */
const around = ({ target }, css) => (target instanceof Element ? target.closest(css) : null);

/**
 * Whether a key is pressed for the browser rather than for the page.
 * @param {KeyboardEvent} event
 */
const isShortcut = (event) => event.ctrlKey || event.metaKey || event.altKey;

/**
 * A button that is pressed or not.
 * @param {Attributes} attributes
 * @param {boolean} pressed
 * @param {(Node | string | null)[]} children
 */
function toggle(attributes, pressed, ...children) {
  const pressing = { type: 'button', 'aria-pressed': String(pressed) };
  return element('button', { ...pressing, ...attributes }, ...children);
}

/** @type {(button: HTMLButtonElement, pressed: boolean) => void} */
const setPressed = (button, pressed) => button.setAttribute('aria-pressed', String(pressed));
