// A column that a pointer takes by the head of one of its cards, to put it in the place of another.

import type { Attachment } from 'svelte/attachments';
import { arrangement } from './arrangement.svelte';

const KIND = 'application/x-puna-column'; // so that a text field does not take it for text

class Dragging {
  #taken = $state('');
  #over = $state('');

  /** Which side of this column it would stand on. */
  side(id: string): 'left' | 'right' | '' {
    if (!this.#taken || this.#over !== id) return '';
    return arrangement.distance(this.#taken, id) < 0 ? 'right' : 'left';
  }

  /** Where column `id` is taken. */
  grip(id: string): Attachment<HTMLElement> {
    return (element) => {
      element.draggable = true;
      const take = (event: DragEvent): void => {
        if (!event.dataTransfer) return;
        event.dataTransfer.setData(KIND, id);
        event.dataTransfer.effectAllowed = 'move';
        this.#taken = id;
      };
      const leave = (): void => this.#end();
      element.addEventListener('dragstart', take);
      element.addEventListener('dragend', leave);
      return () => {
        element.draggable = false;
        element.removeEventListener('dragstart', take);
        element.removeEventListener('dragend', leave);
      };
    };
  }

  /** Where another column may be put. */
  spot(id: string): Attachment<HTMLElement> {
    return (element) => {
      const over = (event: DragEvent): void => {
        if (!this.#taken || !arrangement.canPut(this.#taken, id)) return;
        event.preventDefault();
        this.#over = id;
      };
      const leave = (event: DragEvent): void => {
        if (this.#over === id && !element.contains(event.relatedTarget as Node | null)) this.#over = '';
      };
      const drop = (event: DragEvent): void => {
        if (!this.#taken || !arrangement.canPut(this.#taken, id)) return;
        event.preventDefault();
        arrangement.put(this.#taken, id);
        this.#end();
      };
      element.addEventListener('dragover', over);
      element.addEventListener('dragleave', leave);
      element.addEventListener('drop', drop);
      return () => {
        element.removeEventListener('dragover', over);
        element.removeEventListener('dragleave', leave);
        element.removeEventListener('drop', drop);
      };
    };
  }

  #end(): void {
    this.#taken = '';
    this.#over = '';
  }
}

export const dragging = new Dragging();
