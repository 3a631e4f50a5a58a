import type { Plan } from '../config/plans.ts';
import { type ParsedManifest, requiredBlobs } from '../oci/manifest.ts';
import { allowed, type Decision, type Denial, deny } from './decision.ts';
import { formatBytes } from './format-bytes.ts';
import { layerTooLarge } from './layer-size.ts';

/** Compressed bytes of config and layers, each blob once, without layers that live elsewhere; 0 for an index. */
export function imageSize(manifest: ParsedManifest): number {
  return requiredBlobs(manifest).reduce((sum, { size }) => sum + size, 0);
}

/** Holds for artifacts, too. */
export function checkImageSize(manifest: ParsedManifest, plan: Plan): Decision {
  const [large] = layerSizeDenials(manifest, plan);
  return large ?? checkSum(manifest, plan);
}

/** Every layer that is too large. Each is looked at again, since a mounted one was never uploaded here. */
export function* layerSizeDenials(manifest: ParsedManifest, plan: Plan): Generator<Denial> {
  for (const { size, digest } of requiredBlobs(manifest)) {
    if (size <= plan.layer) continue;
    const error = layerTooLarge(plan, size);
    yield { allow: false, error: { ...error, detail: { ...error.detail, digest } } };
  }
}

/** Config and layers together. */
export function checkSum(manifest: ParsedManifest, plan: Plan): Decision {
  const size = imageSize(manifest);
  if (size <= plan.image) return allowed;
  return deny(
    'image-too-large',
    `The image has ${formatBytes(size)} of compressed layers and config, more than the ${formatBytes(plan.image)} that plan ${plan.name} allows.`,
    'See which steps make it with: docker history --no-trunc IMAGE. Use a smaller base image or a multi-stage build, and keep the build context small with .dockerignore.',
    { size, limit: plan.image, plan: plan.name },
  );
}
