// Files out of the API, into the browser's downloads. A link could not carry the token.

import { call } from './api';

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be reading it
}

/** The name under which it was saved: the server's, which says `_blind` where names are masked. Empty for no bytes. */
export async function download(path: string, fallback: string): Promise<string> {
  const response = await call('GET', path);
  const offered = response.headers.get('Content-Disposition') ?? '';
  const name = /filename="?([^";]+)"?/.exec(offered)?.[1] ?? fallback;
  const file = await response.blob();
  if (!file.size) return '';
  save(file, name);
  return name;
}
