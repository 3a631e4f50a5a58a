import type { ErrorInfo } from '../oci/errors.ts';
import { checkConfigSize } from './config-size.ts';
import type { Decision } from './decision.ts';
import type { ImageFacts } from './image.ts';
import { checkSum, layerSizeDenials } from './image-size.ts';
import { layerMediaTypeDenials, layerWarnings } from './layer-media-types.ts';
import { checkPlatform } from './platform.ts';
import { isRunnable } from './runnable.ts';

/** A rule that is broken. `rule` stands still: programs compare it. */
export interface Problem {
  readonly rule: string;
  readonly error: ErrorInfo;
}

/** Of one kind; an image of 10,000 wrong layers is told so by its first ones. */
const mostOfOneRule = 20;

/**
 * Every rule of `checkImage` that a manifest breaks, where that stops at the first. Without a config
 * nothing is said of the platform.
 */
export function imageProblems(facts: ImageFacts): { problems: Problem[]; warnings: string[] } {
  const { manifest, config, plan, settings } = facts;
  const problems: Problem[] = [];
  const ask = (rule: string, decisions: Iterable<Decision>): void => {
    let left = mostOfOneRule;
    for (const decision of decisions) {
      if (decision.allow) continue;
      if (left-- === 0) return;
      problems.push({ rule, error: decision.error });
    }
  };
  ask('config-size', [checkConfigSize(manifest, plan)]);
  ask('layer-size', layerSizeDenials(manifest, plan));
  ask('image-size', [checkSum(manifest, plan)]);
  if (!isRunnable(manifest)) return { problems, warnings: [] };
  ask('layer-media-type', layerMediaTypeDenials(manifest, settings));
  if (config) ask('platform', [checkPlatform(config, settings)]);
  return { problems, warnings: layerWarnings(manifest, settings) };
}
