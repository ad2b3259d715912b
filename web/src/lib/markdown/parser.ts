// Markdown to HTML of few tags (R3, R6): what a model wrote as HTML stays text, what it wrote as a link is checked.
// The result still goes through `clean`.

import MarkdownIt, { type StateCore, type StateInline, type Token } from 'markdown-it';

import { allowedLink } from './links';

/** Deeper quotes and lists are shown as they were written. */
export const MAX_NESTING = 60;
const MAX_PICTURE_CHARS = 2.8e6; // 2 MB as base64

const PICTURE = /!\[([^\]\n]*)\]\((data:image\/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2})\)/y;
const FORMULA =
  /\$\$[^$]{1,2000}\$\$|\\\([^]{1,2000}?\\\)|\\\[[^]{1,2000}?\\\]|\$(?=[^\s$])[^$\n]{0,499}[^\s$]\$(?!\d)|\$[^\s$]\$(?!\d)/y;
const TASK = /^\[([ xX])\][ \u00a0]/;

export const parser = new MarkdownIt({ html: false, linkify: true, maxNesting: MAX_NESTING });

parser.validateLink = allowedLink;
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
for (const schema of ['ftp:', '//']) parser.linkify.add(schema, null);

parser.inline.ruler.before('escape', 'formula', formula);
parser.inline.ruler.before('image', 'data_picture', dataPicture);
parser.core.ruler.after('inline', 'tasks', tasks);
parser.core.ruler.after('inline', 'tags', tags);

const { rules } = parser.renderer;
const escape = parser.utils.escapeHtml;

// A picture is a link of class `picture`, which `Picture.svelte` shows or offers (R7).
rules.image = (tokens, index, options, env, renderer) => {
  const token = tokens[index]!;
  const text = token.children ? renderer.renderInlineAsText(token.children, options, env) : token.content;
  return `<a class="picture" href="${escape(String(token.attrGet('src')))}">${escape(text)}</a>`;
};
rules.fence = (tokens, index) => code(tokens[index]!, tokens[index]!.info);
rules.code_block = (tokens, index) => code(tokens[index]!, '');
rules.task = (tokens, index) =>
  `<input type="checkbox" disabled${tokens[index]!.content === ' ' ? '' : ' checked'}>`;

/** The language travels in `title`: it is any word, and classes are from a fixed list. */
function code(token: Token, info: string): string {
  const language = info.trim().split(/\s+/)[0]!.slice(0, 24);
  const title = language ? ` title="${escape(language)}"` : '';
  return `<pre><code${title}>${escape(token.content)}</code></pre>\n`;
}

/** The page has h1 and h2, so an answer begins at h3; alignment is an attribute, for R8 forbids styles. */
function tags(state: StateCore): void {
  for (const token of state.tokens) {
    if (token.type.startsWith('heading_')) token.tag = `h${Math.min(6, Number(token.tag.slice(1)) + 2)}`;
    const style = token.attrGet('style');
    if (style) token.attrs = [['align', String(style).replace('text-align:', '')]];
    for (const child of token.children ?? []) if (child.tag === 's') child.tag = 'del';
  }
}

function tasks(state: StateCore): void {
  state.tokens.forEach((token, index) => {
    if (token.type !== 'inline' || state.tokens[index - 2]?.type !== 'list_item_open') return;
    const [text] = token.children ?? [];
    const found = text?.type === 'text' ? TASK.exec(text.content) : null;
    if (!text || !found) return;
    text.content = text.content.slice(found[0].length - 1);
    const box = new state.Token('task', 'input', 0);
    box.content = found[1]!;
    token.children!.unshift(box);
  });
}

/** Formulas fall back to code, with their backslashes and underscores as they are. */
function formula(state: StateInline, silent: boolean): boolean {
  const found = at(FORMULA, state);
  if (!found) return false;
  if (!silent) state.push('code_inline', 'code', 0).content = found[0];
  state.pos += found[0].length;
  return true;
}

function dataPicture(state: StateInline, silent: boolean): boolean {
  const found = at(PICTURE, state);
  if (!found || found[0].length > MAX_PICTURE_CHARS) return false;
  if (!silent) {
    const token = state.push('image', 'img', 0);
    token.attrs = [['src', found[2]!]];
    token.content = found[1]!;
  }
  state.pos += found[0].length;
  return true;
}

function at(pattern: RegExp, state: StateInline): RegExpExecArray | null {
  pattern.lastIndex = state.pos;
  return pattern.exec(state.src);
}
