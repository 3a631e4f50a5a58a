/** Text of a stranger within a message: in quotes, short, and without control or invisible characters. */
export function quote(text: string, longest = 80): string {
  const shown = text.length > longest ? `${text.slice(0, longest)}...` : text;
  return `"${shown.replace(/[\p{C}\p{Zl}\p{Zp}"\\]/gu, '?')}"`;
}
