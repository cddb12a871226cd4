// Words: how values read. What comes from outside is made visible, whatever is in it.

/** @type {Record<string, string>} */
const STATUS_WORDS = {
  detected: 'Detected',
  not_detected: 'Nobody found',
  failed: 'Failed',
};

/** @param {string} status */
const statusWords = (status) => STATUS_WORDS[status] ?? visible(status);

/**
 * Why there is no photo: on a card, and in full.
 * @type {Record<PhotoState, [string, string] | null>}
 */
const PHOTO_WORDS = {
  embedded: null,
  left_out: ['', 'The report was written without photos.'],
  refused: ['', 'What the worker could not read is not opened for the report either.'],
  changed: ['Photo has changed', 'The photo has changed since: these landmarks are of the earlier one.'],
  gone: ['Photo is gone', 'The photo is no longer in the bucket.'],
  denied: ['Photo not allowed', 'The credentials that wrote the report may not read the photo.'],
  too_large: ['Photo too large', 'The photo is too large to be fetched for the report.'],
  unreadable: ['Photo unreadable', 'The photo could not be read for the report.'],
  unavailable: ['Photo unavailable', 'S3 did not deliver the photo when the report was written.'],
};

/** @type {Record<Group, string>} */
const GROUP_WORDS = {
  pose: 'Pose',
  face: 'Face',
  left_hand: 'Left hand',
  right_hand: 'Right hand',
};

// Controls, marks that turn text around, line ends; not the joiners that scripts and emoji need.
const INVISIBLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

// A number and an ending.
const TAIL_CHARACTERS = 9;

const integer = new Intl.NumberFormat('en');

/**
 * Text from outside, with what can't be seen written out.
 * @param {string} text
 */
function visible(text) {
  return text.replace(INVISIBLE, (mark) => `\\u{${mark.codePointAt(0)?.toString(16)}}`);
}

/**
 * A status with its colour.
 * @param {string} status
 */
function statusLabel(status) {
  const dot = element('span', { class: `dot ${status}` });
  return element('span', { class: 'label' }, dot, statusWords(status));
}

/** @type {(number: number, noun: string) => string} */
const counted = (number, noun) => `${integer.format(number)} ${noun}${number === 1 ? '' : 's'}`;

/** @param {number} ms */
const milliseconds = (ms) => `${integer.format(Math.round(ms))} ms`;

/**
 * A part of a whole; what is neither none nor all is never written as 0 or 100 %.
 * @type {(part: number, whole: number) => string}
 */
function percent(part, whole) {
  const share = (100 * part) / whole;
  if (part > 0 && share < 1) {
    return '< 1 %';
  }
  return part < whole && share > 99 ? '> 99 %' : `${Math.round(share)} %`;
}

/** @param {number} bytes */
function fileSize(bytes) {
  if (bytes < 1000) {
    return `${bytes} bytes`;
  }
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * 2026-01-02 03:04:05 UTC
 * @param {Moment} iso
 */
const moment = (iso) => `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;

/**
 * From the first to the second; the day is not said twice.
 * @type {(first: Moment, last: Moment) => string}
 */
function span(first, last) {
  if (moment(first) === moment(last)) {
    return moment(first);
  }
  const sameDay = first.slice(0, 10) === last.slice(0, 10);
  const start = `${first.slice(0, 10)} ${first.slice(11, 19)}`;
  return `${start} – ${sameDay ? moment(last).slice(11) : moment(last)}`;
}

/**
 * A key's folder, its name, and the name's end; other scripts than ours are not cut in two.
 * @param {string} key
 */
function keyParts(key) {
  const slash = key.replace(/\/+$/, '').lastIndexOf('/') + 1;
  const [folder, name] = [visible(key.slice(0, slash)), visible(key.slice(slash))];
  const cut = /^[\x20-\x7e]+$/.test(name) ? Math.max(0, name.length - TAIL_CHARACTERS) : name.length;
  return { folder, name: name.slice(0, cut), tail: name.slice(cut) };
}
