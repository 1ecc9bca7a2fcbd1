/** Numbers as people read them: the same words in charts, tables, tooltips and pictures. */

const COUNT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** A whole number with separators; a dash where there is none. */
export function count(value: number | null | undefined): string {
  return isKnown(value) ? COUNT.format(value) : '–';
}

/** Three significant digits, scientific only where the plain form would be long; a dash where there is none. */
export function number(value: number | null | undefined, digits = 3): string {
  if (!isKnown(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return withMinus(value.toExponential(digits - 1).replace('e+', 'e'));
  if (Number.isInteger(value)) return withMinus(COUNT.format(value));
  const rounded = Number(value.toPrecision(digits));
  return withMinus(rounded.toLocaleString('en-US', { maximumSignificantDigits: Math.max(digits, 1) }));
}

/** A share as a percentage with three significant digits. */
export function percent(value: number | null | undefined, digits = 3): string {
  if (!isKnown(value)) return '–';
  const share = value * 100;
  if (share === 0) return '0 %';
  if (Math.abs(share) < 0.001) return `${withMinus(share.toExponential(digits - 1))} %`;
  // All but a few is not all: what is left to 100 keeps its digits.
  if (value > 0.99 && value < 1) {
    const decimals = Math.min(12, Math.max(1, Math.floor(-Math.log10(100 - share)) + 1));
    return `${Math.floor(share * 10 ** decimals) / 10 ** decimals} %`;
  }
  return `${withMinus(String(Number(share.toPrecision(digits))))} %`;
}

/** A signed number: a plus where it is above 0. */
export function signed(value: number | null | undefined, digits = 3): string {
  const text = number(value, digits);
  return isKnown(value) && value > 0 ? `+${text}` : text;
}

/** One thing or many: `plural(1, "row")` is "1 row". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

function isKnown(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function withMinus(text: string): string {
  return text.replace(/^-/, '−').replace('e-', 'e−');
}
