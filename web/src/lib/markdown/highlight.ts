// Colours for code of 20 languages (R4). The highlighter and each language are fetched when first needed.

import type { HLJSApi, LanguageFn } from 'highlight.js';

import { clean, type Node } from './clean';

const LANGUAGES: Record<string, () => Promise<{ default: LanguageFn }>> = {
  bash: () => import('highlight.js/lib/languages/bash'),
  c: () => import('highlight.js/lib/languages/c'),
  cpp: () => import('highlight.js/lib/languages/cpp'),
  csharp: () => import('highlight.js/lib/languages/csharp'),
  css: () => import('highlight.js/lib/languages/css'),
  diff: () => import('highlight.js/lib/languages/diff'),
  go: () => import('highlight.js/lib/languages/go'),
  java: () => import('highlight.js/lib/languages/java'),
  javascript: () => import('highlight.js/lib/languages/javascript'),
  json: () => import('highlight.js/lib/languages/json'),
  kotlin: () => import('highlight.js/lib/languages/kotlin'),
  php: () => import('highlight.js/lib/languages/php'),
  python: () => import('highlight.js/lib/languages/python'),
  ruby: () => import('highlight.js/lib/languages/ruby'),
  rust: () => import('highlight.js/lib/languages/rust'),
  sql: () => import('highlight.js/lib/languages/sql'),
  swift: () => import('highlight.js/lib/languages/swift'),
  typescript: () => import('highlight.js/lib/languages/typescript'),
  xml: () => import('highlight.js/lib/languages/xml'),
  yaml: () => import('highlight.js/lib/languages/yaml'),
};

const ALIASES: Record<string, string> = {
  'c#': 'csharp',
  'c++': 'cpp',
  console: 'bash',
  cs: 'csharp',
  golang: 'go',
  html: 'xml',
  js: 'javascript',
  jsonc: 'json',
  jsx: 'javascript',
  kt: 'kotlin',
  patch: 'diff',
  py: 'python',
  python3: 'python',
  rb: 'ruby',
  rs: 'rust',
  sh: 'bash',
  shell: 'bash',
  svg: 'xml',
  ts: 'typescript',
  tsx: 'typescript',
  yml: 'yaml',
  zsh: 'bash',
};

const MAX_CHARS = 50_000; // longer code stays plain: colouring it would stop the page for a moment

/** The code with its colours; null where the language is none of the 20, or the code too long. */
export async function highlight(code: string, language: string): Promise<Node[] | null> {
  const asked = language.toLowerCase();
  const name = ALIASES[asked] ?? asked;
  if (!Object.hasOwn(LANGUAGES, name) || code.length > MAX_CHARS) return null;
  const highlighter = await loaded(name);
  return clean(highlighter.highlight(code, { language: name, ignoreIllegals: true }).value);
}

async function loaded(name: string): Promise<HLJSApi> {
  const [{ default: highlighter }, { default: language }] = await Promise.all([
    import('highlight.js/lib/core'),
    LANGUAGES[name]!(),
  ]);
  if (!highlighter.getLanguage(name)) highlighter.registerLanguage(name, language);
  return highlighter;
}
