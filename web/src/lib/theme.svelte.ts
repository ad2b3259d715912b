// System, light or dark (Y5). public/theme.js sets the stored one before the first paint.

const KEY = 'puna.theme';
const THEMES = ['system', 'light', 'dark'] as const;
export type ThemeName = (typeof THEMES)[number];

class Theme {
  #system = $state(matchMedia('(prefers-color-scheme: dark)').matches);
  name = $state<ThemeName>((document.documentElement.dataset.theme as ThemeName | undefined) ?? 'system');

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => {
      this.#system = event.matches;
    });
  }

  get dark(): boolean {
    return this.name === 'dark' || (this.name === 'system' && this.#system);
  }

  next(): void {
    this.name = THEMES[(THEMES.indexOf(this.name) + 1) % THEMES.length]!;
    if (this.name === 'system') {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem(KEY);
    } else {
      document.documentElement.dataset.theme = this.name;
      localStorage.setItem(KEY, this.name);
    }
  }
}

export const theme = new Theme();
