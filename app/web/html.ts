/** Markup that needs no escaping any more. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it may stand in an element or a quoted attribute. */
function escape(text: string): string {
  return /[&<>"']/.test(text) ? text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? '') : text;
}

/** Template tag: every value is escaped unless it is Html itself; lists are joined. */
export function html(strings: TemplateStringsArray, ...values: (string | number | Html | Html[])[]): Html {
  let text = strings[0] ?? '';
  values.forEach((value, index) => {
    if (value instanceof Html) text += value.text;
    else if (Array.isArray(value)) for (const item of value) text += item.text;
    else text += escape(String(value));
    text += strings[index + 1] ?? '';
  });
  return new Html(text);
}
