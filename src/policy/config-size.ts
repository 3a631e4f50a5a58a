import type { Plan } from '../config/plans.ts';
import type { ParsedManifest } from '../oci/manifest.ts';
import { allowed, type Decision, deny } from './decision.ts';
import { formatBytes } from './format-bytes.ts';

/** By the manifest's word: whoever reads the config checks that it has that size. */
export function checkConfigSize({ config }: ParsedManifest, plan: Plan): Decision {
  if (!config || config.size <= plan.config) return allowed;
  return deny(
    'config-too-large',
    `The config has ${formatBytes(config.size)}, more than the ${formatBytes(plan.config)} that one may have.`,
    'Shorten its history, labels or environment (docker inspect IMAGE shows them), or move the data into a layer.',
    { size: config.size, limit: plan.config, digest: config.digest },
  );
}
