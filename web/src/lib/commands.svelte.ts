// Every action of the page by name: Ctrl+K finds it, and most have a key of their own (Y1, Y2).

import { untrack } from 'svelte';
import { Kept } from './kept.svelte';

export interface Command {
  name: string;
  /** As `KeyboardEvent.key` has it, in lower case; it works outside text fields only. */
  key?: string;
  run: () => void;
}

class Commands {
  /** Whether single keys do something (Y2). */
  readonly keys = new Kept('single-keys', true);
  #offers = $state.raw<readonly (() => readonly Command[])[]>([]);

  get all(): readonly Command[] {
    return this.#offers.flatMap((offer) => offer());
  }

  /** What a page can do while it is shown: for an `$effect`, which calls the result when the page goes. */
  offer(commands: () => readonly Command[]): () => void {
    this.#offers = [...untrack(() => this.#offers), commands]; // an effect that offers must not wait for offers
    return () => (this.#offers = this.#offers.filter((offer) => offer !== commands));
  }

  /** Does what the key stands for; whether it stands for anything. */
  press(key: string): boolean {
    const found = this.keys.value ? this.all.find((command) => command.key === key.toLowerCase()) : undefined;
    found?.run();
    return found !== undefined;
  }
}

export const commands = new Commands();

/** Whether keys that are pressed there are text, or belong to the control. */
export function takesText(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName) ||
      target.closest('dialog') !== null)
  );
}
