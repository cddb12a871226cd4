// ESLint's rules for the project's JavaScript. Names and types are left to the TypeScript compiler.

import js from '@eslint/js';

export default [
  { ignores: ['build/', 'dist/', '**/.*/'] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-undef': 'off', // the compiler checks names

      // Code that does something else than it seems to.
      curly: 'error',
      eqeqeq: 'error',
      'no-implicit-coercion': 'error',
      'no-nested-ternary': 'error',
      'no-return-assign': 'error',
      'no-shadow': 'error',
      'no-throw-literal': 'error',
      'no-unused-expressions': 'error',
      'no-use-before-define': ['error', { functions: false, variables: false }], // an error only while the file loads
      'prefer-promise-reject-errors': 'error',
      'require-await': 'error',

      // Outdated syntax.
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-arrow-callback': 'error',
      'prefer-const': 'error',
      'prefer-template': 'error',

      // The limits Ruff sets for the Python code.
      complexity: ['error', 10],
      'max-params': ['error', 7],
    },
  },
];
