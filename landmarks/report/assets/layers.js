// Layers: what is drawn, the same in all pictures of the page.

/** @type {{ name: Layer, key: string, words: string, about: string }[]} */
const LAYERS = [
  { name: 'pose', key: '1', words: 'Pose', about: 'pose, left orange, right blue' },
  { name: 'face', key: '2', words: 'Face', about: 'face' },
  { name: 'hands', key: '3', words: 'Hands', about: 'hands, a colour a finger' },
  { name: 'photo', key: '4', words: 'Photo', about: 'photo; dimmed if off' },
  { name: 'guessed', key: '5', words: 'Guessed', about: 'pose points that are only guessed' },
];

/** @type {Record<Layer, boolean> & { listeners: (() => void)[] }} */
const layers = { pose: true, face: true, hands: true, photo: true, guessed: true, listeners: [] };

/** @param {Layer} name */
function pressLayer(name) {
  layers[name] = !layers[name];
  layers.listeners.forEach((listener) => listener());
}

/** Buttons for all layers that always say how they stand. */
function layerButtons() {
  const buttons = LAYERS.map(layerButton);
  layers.listeners.push(() =>
    LAYERS.forEach(({ name }, number) => setPressed(buttons[number], layers[name])),
  );
  return buttons;
}

/** @param {typeof LAYERS[number]} layer */
function layerButton({ name, key, words, about }) {
  const attributes = {
    class: `layer ${name}`,
    title: `${about} (key ${key})`,
    'aria-keyshortcuts': key,
    on: { click: () => pressLayer(name) },
  };
  return toggle(attributes, layers[name], element('span', { class: 'swatch' }), words);
}

/**
 * Whether points of a group are drawn.
 * @param {Group} group
 */
const isDrawn = (group) => layers[group === 'pose' || group === 'face' ? group : 'hands'];
