import type { Config } from './config.ts';

/** Host names that are the registry's own, never a function's. */
export function ownHosts({ publicUrl, host }: Config): ReadonlySet<string> {
  const names = new Set(['localhost', host]);
  if (publicUrl) names.add(new URL(publicUrl).hostname);
  return names;
}
