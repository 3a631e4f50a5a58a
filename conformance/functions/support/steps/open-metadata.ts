/** The metadata, each command of which is a step (kill-at.ts). */
import * as real from '../../../../storage-adapters/metadata/open-metadata.ts';
import { step } from './kill-at.ts';

export * from '../../../../storage-adapters/metadata/open-metadata.ts';

export const openMetadata: typeof real.openMetadata = async (...options) => {
  const metadata = await real.openMetadata(...options);
  const { writer } = metadata;
  return {
    ...metadata,
    writer: {
      run(name, args, fence) {
        const { state } = args as { state?: unknown };
        const about = typeof state === 'string' ? `${name} ${state}` : name;
        return step(about, () => writer.run(name, args, fence));
      },
    },
  };
};
