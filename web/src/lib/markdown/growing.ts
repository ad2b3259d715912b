// A Markdown text that grows at its end (R1): what can no longer change is kept, only the last block is read again.
//
// A block is settled once a later one has begun on a line that is complete: Markdown reads line by line, and more lines
// change nothing before the block they belong to. One exception, a link whose address follows later in the text, is why
// `finished` reads the whole text once more: the end view is that of a one-shot render (R3), whatever came before.

import { clean, type Node } from './clean';
import { MAX_NESTING, parser } from './parser';
import { mended } from './mend';

/** Drawn as nodes, or as plain text where drawing it as Markdown would cost too much. */
export interface Block {
  source: string;
  nodes: Node[] | null;
}

type Env = Parameters<typeof parser.parse>[1];
type Tokens = ReturnType<typeof parser.parse>;
interface Part {
  line: number;
  tokens: Tokens;
}

const MAX_CHARS = 256 * 1024;
const MAX_LINE = 16 * 1024;
const MAX_TOKENS = 20_000;
const PICTURES = /\(data:image\/[a-z]+;base64,[A-Za-z0-9+/=]+\)/g;

export class Growing {
  #settled: Block[] = [];
  #done = ''; // the text of `#settled`
  #lines = 0; // complete lines after it when it was last looked for more
  #tokens = 0;
  #env: Env = { references: {} };

  /** The blocks of a text that may go on. Blocks that have not changed are the same objects. */
  soFar(text: string): Block[] {
    const source = normalized(text);
    if (!source.startsWith(this.#done)) this.#restart();
    if (tooLong(source) || !this.#settle(source)) return plain(source);
    const tail = mended(source.slice(this.#done.length));
    const parts = split(tail, { references: { ...this.#env.references } });
    if (!parts || this.#tokens + weight(parts) > MAX_TOKENS) return plain(source);
    return [...this.#settled, ...parts.map((part) => drawn(part, this.#env))];
  }

  /** The blocks of a text that has ended, those in `shown` with the same content kept. */
  finished(text: string, shown: Block[] = []): Block[] {
    this.#restart();
    const source = normalized(text);
    const env: Env = {};
    const parts = tooLong(source) ? null : split(source, env);
    if (!parts || weight(parts) > MAX_TOKENS) return plain(source);
    return parts.map((part, index) => {
      const html = render(part, env);
      const old = shown[index];
      return old?.nodes && old.source === html ? old : { source: html, nodes: clean(html) };
    });
  }

  /** False where there is too much to draw. */
  #settle(source: string): boolean {
    const rest = source.slice(this.#done.length, source.lastIndexOf('\n') + 1);
    const starts = lineStarts(rest);
    if (starts.length === this.#lines) return true;
    const parts = split(rest, this.#env);
    if (!parts || this.#tokens + weight(parts) > MAX_TOKENS) return false;
    this.#lines = starts.length;
    const last = parts.pop();
    if (!last || !parts.length) return true;
    this.#settled.push(...parts.map((part) => drawn(part, this.#env)));
    this.#tokens += weight(parts);
    this.#done += rest.slice(0, starts[last.line]);
    this.#lines = starts.length - last.line;
    return true;
  }

  #restart(): void {
    this.#settled = [];
    this.#done = '';
    this.#lines = 0;
    this.#tokens = 0;
    this.#env = { references: {} };
  }
}

const normalized = (text: string): string => (text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text);

const plain = (source: string): Block[] => [{ source, nodes: null }];

/** Pictures in the text do not count, for they cost nothing to read. */
function tooLong(source: string): boolean {
  const lean = source.length > MAX_LINE ? source.replace(PICTURES, '') : source;
  return lean.length > MAX_CHARS || lean.split('\n').some((line) => line.length > MAX_LINE);
}

/** The top blocks of a text; null where quotes and lists are nested too deep to be read. */
function split(source: string, env: Env): Part[] | null {
  const parts: Part[] = [];
  for (const token of parser.parse(source, env)) {
    if (token.level >= MAX_NESTING - 1) return null;
    if (token.level === 0 && token.nesting >= 0) parts.push({ line: token.map?.[0] ?? 0, tokens: [] });
    parts.at(-1)?.tokens.push(token);
  }
  return parts;
}

function weight(parts: Part[]): number {
  let sum = 0;
  for (const { tokens } of parts) for (const token of tokens) sum += 1 + (token.children?.length ?? 0);
  return sum;
}

function drawn(part: Part, env: Env): Block {
  const html = render(part, env);
  return { source: html, nodes: clean(html) };
}

const render = (part: Part, env: Env): string => parser.renderer.render(part.tokens, parser.options, env);

/** The offset of each line, and of the end. */
function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
