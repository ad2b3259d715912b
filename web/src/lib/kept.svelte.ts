// A value that survives a reload, such as a draft. Where the browser keeps nothing it lives as long as the page.

export class Kept<T> {
  #key: string;
  #value: T;

  constructor(key: string, fallback: T) {
    this.#key = `puna.${key}`;
    this.#value = $state(read(this.#key, fallback));
  }

  get value(): T {
    return this.#value;
  }

  set value(value: T) {
    this.#value = value;
    try {
      localStorage.setItem(this.#key, JSON.stringify(value));
    } catch {
      // full, or switched off
    }
  }
}

function read<T>(key: string, fallback: T): T {
  try {
    const text = localStorage.getItem(key);
    return text === null ? fallback : (JSON.parse(text) as T);
  } catch {
    return fallback;
  }
}
