// The access token (A5): kept for this tab, asked for at the first 401. What was typed elsewhere stays where it is.

const KEY = 'puna.token';

class Token {
  value = $state(sessionStorage.getItem(KEY) ?? '');
  /** Why it is asked for; empty while it is not. */
  reason = $state('');
  #waiting: (() => void)[] = [];

  /** Resolves once a person has given one. */
  ask(reason: string): Promise<void> {
    this.reason = reason;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(value: string): void {
    this.value = value;
    sessionStorage.setItem(KEY, value);
    this.reason = '';
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export const token = new Token();
