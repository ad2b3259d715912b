// The gate before the page (R6): of any HTML, only these tags and attributes get through, as a tree to draw from.

import DOMPurify, { type Config } from 'dompurify';

import { balanced } from './bidi';
import { SCOPES } from './scopes';

export interface Element {
  tag: string;
  attributes: Record<string, string>;
  children: Node[];
}
export type Node = string | Element;

const CONFIG: Config & { RETURN_DOM_FRAGMENT: true } = {
  ALLOWED_TAGS: [
    ...[
      'p',
      'br',
      'hr',
      'h3',
      'h4',
      'h5',
      'h6',
      'ul',
      'ol',
      'li',
      'blockquote',
      'pre',
      'code',
      'em',
      'strong',
    ],
    ...['del', 'a', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'input', 'sup', 'sub', 'span', '#text'],
  ],
  ALLOWED_ATTR: ['href', 'title', 'align', 'start', 'type', 'checked', 'disabled', 'class'],
  ADD_URI_SAFE_ATTR: ['align', 'start', 'type', 'checked', 'disabled'],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|data:image\/(?:png|jpeg|webp|gif);base64,)/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const CLASSES = new Set(['picture', ...SCOPES]);

const purify = DOMPurify(window);
purify.addHook('uponSanitizeAttribute', (_element, data) => {
  if (data.attrName !== 'class') return;
  data.attrValue = data.attrValue
    .split(' ')
    .filter((name) => CLASSES.has(name))
    .join(' ');
  data.keepAttr = data.attrValue !== '';
});

export function clean(html: string): Node[] {
  return tree(purify.sanitize(html, CONFIG));
}

function tree(parent: ParentNode): Node[] {
  const nodes: Node[] = [];
  for (const child of parent.childNodes) {
    if (child instanceof Text) nodes.push(balanced(child.data));
    else if (child instanceof HTMLElement) nodes.push(element(child));
  }
  return nodes;
}

function element(found: HTMLElement): Element {
  const attributes: Record<string, string> = {};
  for (const { name, value } of found.attributes) attributes[name] = value;
  return { tag: found.localName, attributes, children: tree(found) };
}

export function textOf(nodes: Node[]): string {
  return nodes.map((node) => (typeof node === 'string' ? node : textOf(node.children))).join('');
}
