import type { ServiceSettings } from '../ports/functions.ts';
import type { ActivationTarget } from './activation.ts';

/**
 * What an instance's identity may do: what its service says; else, of the project's own team's image, pulling
 * there. An image of another team, which somebody else made, may nothing unless it is said.
 */
export function roleOf({
  service,
  teamSlug,
}: Pick<ActivationTarget, 'service' | 'teamSlug'>): ServiceSettings['role'] {
  const own = service.repository.startsWith(`${teamSlug}/`);
  return service.settings.role ?? (own ? undefined : { actions: [] });
}
