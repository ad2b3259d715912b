// Controls of writing direction, each closed in the text that opens it (R10): one that stays open would take the end of
// its element's own isolation for its end, and turn around what follows.

const CONTROL = /[\u202a-\u202e\u2066-\u2069]/g;
const END = '\u202c';
const ISOLATE_END = '\u2069';

export function balanced(text: string): string {
  const open: string[] = [];
  const kept = text.replace(CONTROL, (control) => {
    if (control !== END && control !== ISOLATE_END) {
      open.push(control >= '\u2066' ? ISOLATE_END : END);
      return control;
    }
    const at = open.lastIndexOf(control);
    if (at < 0 || (control === END && at < open.length - 1)) return '';
    return open.splice(at).reverse().join('');
  });
  return kept + open.reverse().join('');
}
