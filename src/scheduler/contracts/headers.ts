import type { ContractRequest } from './contract.ts';

/** Where a request came from, as every contract tells it. */
export function forwardedHeaders(request: ContractRequest): Record<string, string> {
  const { host, address, proto } = request;
  return {
    host,
    'x-forwarded-for': address,
    'x-forwarded-host': host,
    'x-forwarded-proto': proto,
    'x-real-ip': address,
    'x-gantry-id': request.id,
  };
}
