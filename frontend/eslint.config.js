import a11y from 'eslint-plugin-jsx-a11y';
import hooks from 'eslint-plugin-react-hooks';
import ts from 'typescript-eslint';

export default ts.config(
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  { ignores: ['dist*/**', 'generated/**', 'node_modules/**'] },
  ...ts.configs.recommended,
  {
    files: ['src/**/*.{ts,tsx}', 'test/**/*.ts'],
    plugins: { 'jsx-a11y': a11y, 'react-hooks': hooks },
    rules: {
      ...a11y.flatConfigs.recommended.rules,
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-empty-function': 'off',
      'max-lines': ['error', 500],
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'What comes from data is text' },
        { property: 'outerHTML', message: 'What comes from data is text' },
        { property: 'insertAdjacentHTML', message: 'What comes from data is text' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: 'What comes from data is text' },
      ],
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-console': 'error',
    },
  },
  { files: ['src/**/*.tsx'], rules: { 'max-lines': ['error', 300] } },
);
