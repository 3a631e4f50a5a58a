import type { Plan } from '../config/plans.ts';
import type { ErrorInfo } from '../oci/errors.ts';
import { formatBytes } from './format-bytes.ts';

/** Most bytes that one uploaded blob may have. */
export function layerLimit(plan: Plan): number {
  return plan.layer;
}

/** The refusal of a layer; `size` in bytes, where it is known before the last of them came. */
export function layerTooLarge(plan: Plan, size?: number): ErrorInfo {
  const limit = formatBytes(plan.layer);
  const has =
    size === undefined ? 'The layer is larger' : `The layer has ${formatBytes(size)}, more`;
  return {
    kind: 'layer-too-large',
    message: `${has} than the ${limit} that plan ${plan.name} allows for one compressed layer.`,
    hint: 'See which step makes it with: docker history --no-trunc IMAGE. Split that RUN or COPY into several, remove files in the step that made them, or compress better with zstd.',
    detail: { limit: plan.layer, plan: plan.name, ...(size === undefined ? undefined : { size }) },
  };
}
