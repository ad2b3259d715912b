// Files that a person gives to a prompt: pictures for the models' eyes, text into the text.

import { bytes } from '../format';

export const PICTURES = ['image/png', 'image/jpeg', 'image/webp'] as const;
const MOST_TEXT = 10 * 1024 * 1024;

export interface Picture {
  name: string;
  /** For the preview; to be let go with `URL.revokeObjectURL`. */
  url: string;
  base64: string;
}

export const isPicture = (file: File): boolean => (PICTURES as readonly string[]).includes(file.type);

/** Throws an `Error` with one line for a person. */
export async function picture(file: File, most: number): Promise<Picture> {
  if (file.size > most)
    throw new Error(`${file.name} is too large: ${bytes(file.size)}, at most ${bytes(most)}`);
  const url = URL.createObjectURL(file);
  try {
    await createImageBitmap(file);
  } catch {
    URL.revokeObjectURL(url);
    throw new Error(`${file.name} is not a picture that can be read`);
  }
  return { name: file.name, url, base64: base64(new Uint8Array(await file.arrayBuffer())) };
}

/** A text file as it goes into a prompt: fenced, under its name. Throws an `Error` with one line for a person. */
export async function fenced(file: File): Promise<string> {
  if (file.size > MOST_TEXT)
    throw new Error(`${file.name} is too large: at most ${bytes(MOST_TEXT)} of text`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} is neither text nor a PNG, JPEG or WebP picture`);
  }
  const longest = Math.max(2, ...[...text.matchAll(/`{3,}/g)].map((found) => found[0].length));
  const fence = '`'.repeat(longest + 1);
  const language = file.name.includes('.') ? (file.name.split('.').pop() ?? '') : '';
  return `${file.name}\n${fence}${language}\n${text.replace(/\n$/, '')}\n${fence}\n`;
}

function base64(data: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < data.length; at += 0x8000) {
    parts.push(String.fromCharCode(...data.subarray(at, at + 0x8000)));
  }
  return btoa(parts.join(''));
}
