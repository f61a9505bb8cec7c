const units: readonly [string, number][] = [
  ['Gi', 2 ** 30],
  ['Mi', 2 ** 20],
  ['Ki', 2 ** 10],
];

/** A number of CPUs, bytes or things as a quantity: exact to a thousandth, in the largest unit that divides it. */
export function quantity(n: number): string {
  const unit = units.find(([, size]) => n >= size && n % size === 0);
  if (unit) return `${n / unit[1]}${unit[0]}`;
  return Number.isInteger(n) ? String(n) : `${Math.ceil(Math.round(n * 1e6) / 1e3)}m`;
}
