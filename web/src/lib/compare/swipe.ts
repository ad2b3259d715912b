// A finger that goes sideways over an element (Y6).

import type { Attachment } from 'svelte/attachments';

const LEAST_PX = 60;

/** Calls `turn` with 1 for a swipe to the left, to the next one, and -1 for one to the right. */
export function swiped(turn: (by: -1 | 1) => void): Attachment<HTMLElement> {
  return (element) => {
    let from: Touch | undefined;

    /** Where the finger scrolls a table or code sideways, it does not turn the page. */
    function begin(event: TouchEvent): void {
      let inside = event.target as HTMLElement | null;
      while (inside && inside !== element && inside.scrollWidth <= inside.clientWidth + 1) {
        inside = inside.parentElement;
      }
      from = inside === element ? event.changedTouches[0] : undefined;
    }

    function end(event: TouchEvent): void {
      const to = event.changedTouches[0];
      if (!from || !to) return;
      const [across, along] = [to.clientX - from.clientX, to.clientY - from.clientY];
      if (Math.abs(across) > LEAST_PX && Math.abs(across) > 2 * Math.abs(along)) turn(across < 0 ? 1 : -1);
    }

    element.addEventListener('touchstart', begin, { passive: true });
    element.addEventListener('touchend', end, { passive: true });
    return () => {
      element.removeEventListener('touchstart', begin);
      element.removeEventListener('touchend', end);
    };
  };
}
