// Layers: what is drawn, the same in all pictures of the page.

const LAYERS = [
  { name: 'pose', key: '1', words: 'Pose', about: 'pose, left orange, right blue' },
  { name: 'face', key: '2', words: 'Face', about: 'face' },
  { name: 'hands', key: '3', words: 'Hands', about: 'hands, a colour a finger' },
  { name: 'photo', key: '4', words: 'Photo', about: 'photo; dimmed if off' },
  { name: 'guessed', key: '5', words: 'Guessed', about: 'pose points that are only guessed' },
];

const layers = { pose: true, face: true, hands: true, photo: true, guessed: true, listeners: [] };

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

function layerButton({ name, key, words, about }) {
  const attributes = {
    class: `layer ${name}`,
    title: `${about} (key ${key})`,
    'aria-keyshortcuts': key,
    on: { click: () => pressLayer(name) },
  };
  return toggle(attributes, layers[name], element('span', { class: 'swatch' }), words);
}

/** Whether points of a group are drawn. */
const isDrawn = (group) => layers[group.endsWith('hand') ? 'hands' : group];
