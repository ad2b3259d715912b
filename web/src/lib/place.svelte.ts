// Where the page is: `#/board?unit=model`. The address is the truth; links and the back button just work.

export const PAGES = ['compare', 'battle', 'board', 'history', 'models'] as const;
export type PageName = (typeof PAGES)[number];

class Place {
  #hash = $state(location.hash);

  constructor() {
    addEventListener('hashchange', () => (this.#hash = location.hash));
  }

  get page(): PageName {
    const name = this.#path[0] as PageName;
    return PAGES.includes(name) ? name : 'compare';
  }

  /** What follows the page's name, such as a session's id; empty without. */
  get id(): string {
    return decodeURIComponent(this.#path[1] ?? '');
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.#hash.split('?')[1] ?? '');
  }

  go(page: PageName, id = '', query?: URLSearchParams): void {
    const asked = query?.toString();
    location.hash = `#/${page}${id ? `/${encodeURIComponent(id)}` : ''}${asked ? `?${asked}` : ''}`;
  }

  get #path(): string[] {
    return (this.#hash.replace(/^#\/?/, '').split('?')[0] ?? '').split('/');
  }
}

export const place = new Place();
