// The pictures of the next question, within the limits of the arena.

import type { Config } from '../wire';
import { picture, type Picture } from './files';

export class Pictures {
  list = $state.raw<readonly Picture[]>([]);

  /** `typed` is the length of the text beside them. Throws an `Error` with one line for a person. */
  async add(file: File, limits: Config['limits'], typed: number): Promise<void> {
    if (this.list.length >= limits.images)
      throw new Error(`At most ${limits.images} pictures for one question`);
    const found = await picture(file, limits.image_bytes);
    const size = this.list.reduce((sum, one) => sum + one.base64.length, typed + found.base64.length);
    if (size > limits.body_bytes) {
      URL.revokeObjectURL(found.url);
      throw new Error('These pictures are too large together');
    }
    this.list = [...this.list, found];
  }

  remove(gone: readonly Picture[]): void {
    for (const one of gone) URL.revokeObjectURL(one.url);
    this.list = this.list.filter((one) => !gone.includes(one));
  }
}
