import type { Plan } from '../config/plans.ts';
import { type ParsedManifest, requiredBlobs } from '../oci/manifest.ts';
import { allowed, type Decision, deny } from './decision.ts';
import { formatBytes } from './format-bytes.ts';
import { layerTooLarge } from './layer-size.ts';

/** Compressed bytes of config and layers, each blob once, without layers that live elsewhere; 0 for an index. */
export function imageSize(manifest: ParsedManifest): number {
  return requiredBlobs(manifest).reduce((sum, { size }) => sum + size, 0);
}

/** Holds for artifacts, too. Each layer is looked at again, since a mounted one was never uploaded here. */
export function checkImageSize(manifest: ParsedManifest, plan: Plan): Decision {
  const large = requiredBlobs(manifest).find(({ size }) => size > plan.layer);
  if (large) {
    const error = layerTooLarge(plan, large.size);
    return { allow: false, error: { ...error, detail: { ...error.detail, digest: large.digest } } };
  }
  const size = imageSize(manifest);
  if (size <= plan.image) return allowed;
  return deny(
    'image-too-large',
    `The image has ${formatBytes(size)} of compressed layers and config, more than the ${formatBytes(plan.image)} that plan ${plan.name} allows.`,
    'See which steps make it with: docker history --no-trunc IMAGE. Use a smaller base image or a multi-stage build, and keep the build context small with .dockerignore.',
    { size, limit: plan.image, plan: plan.name },
  );
}
