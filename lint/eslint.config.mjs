// What ESLint asks of the project's JavaScript; names and types are the compiler's affair.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

import js from '@eslint/js';

const ASSETS = 'landmarks/report/assets';

/** The files that are the page's script, in its order. */
const SCRIPTS = [...readFileSync('landmarks/report/page.py', 'utf8').matchAll(/^ {4}"(\w+\.js)",$/gm)].map(
  ([, name]) => ({ name, text: readFileSync(`${ASSETS}/${name}`, 'utf8') }),
);

/** @type {{ ruleId: string, severity: 2, message: string }} */
const NOT_SHIPPED = { ruleId: 'shipped', severity: 2, message: 'SCRIPTS of page.py leaves this file out' };

/**
 * The page's files are one module: each is looked at as its part of the whole. So a function that
 * no file calls is unused, a name that two files declare is said, and the order matters.
 * @type {import('eslint').Linter.Processor}
 */
const page = {
  preprocess: () => [{ text: SCRIPTS.map(({ text }) => text).join('\n'), filename: 'page.js' }],
  /** What is said of the whole, as far as it is about this file. */
  postprocess([messages = []], path) {
    const number = SCRIPTS.findIndex(({ name }) => name === basename(path));
    if (number < 0) {
      return [{ ...NOT_SHIPPED, line: 1, column: 1 }];
    }
    const lines = SCRIPTS.map(({ text }) => text.split('\n').length);
    const before = lines.slice(0, number).reduce((sum, count) => sum + count, 0);
    return messages
      .filter(({ line }) => line > before && line <= before + lines[number])
      .map((message) => ({
        ...message,
        line: message.line - before,
        endLine: (message.endLine ?? message.line) - before,
      }));
  },
};

export default [
  { ignores: ['build/', 'dist/', '**/.*/'] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-undef': 'off', // the compiler knows all names, and their types

      // What looks like something else than it does.
      curly: 'error',
      eqeqeq: 'error',
      'no-implicit-coercion': 'error',
      'no-nested-ternary': 'error',
      'no-return-assign': 'error',
      'no-shadow': 'error',
      'no-throw-literal': 'error',
      'no-unused-expressions': 'error',
      'no-use-before-define': ['error', { functions: false, variables: false }], // at load: a dead zone
      'prefer-promise-reject-errors': 'error',
      'require-await': 'error',

      // The old way.
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-arrow-callback': 'error',
      'prefer-const': 'error',
      'prefer-template': 'error',

      // As much as Python's functions may have.
      complexity: ['error', 10],
      'max-params': ['error', 7],
    },
  },
  { files: [`${ASSETS}/*.js`], processor: page },
];
