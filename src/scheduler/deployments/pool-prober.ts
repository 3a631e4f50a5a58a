import type { ActivationError } from '../activation.ts';
import type { FunctionPool } from '../pool/function-pool.ts';
import { type InstanceProber, ProbeError } from './prober.ts';

/** Refusals of the pool that say nothing of the function: the deployment is tried again, and a paused service not probed. */
const passing: readonly string[] = ['ENGINE_UNAVAILABLE', 'STOPPING', 'NO_CAPACITY', 'PAUSED'];

/** The contract's own code and message, where it has them. */
function documented({ code, message, answer }: ActivationError): { code: string; message: string } {
  if (!answer) return { code, message };
  const body = JSON.parse(answer.body) as { ErrorCode?: string; ErrorMessage?: string };
  return { code: body.ErrorCode ?? code, message: body.ErrorMessage ?? message };
}

/** Probes by the pool: what it starts takes the first requests. */
export function createPoolProber(pool: Pick<FunctionPool, 'ensure'>): InstanceProber {
  return {
    async ensure(target, signal) {
      const result = await pool.ensure(target, { signal });
      signal.throwIfAborted();
      if (result.ready) return;
      const { error, failure } = result;
      if (passing.includes(error.code))
        throw new ProbeError(error.message, undefined, { cause: error });
      const logs = failure?.logs.map(({ at, text }) => `${new Date(at).toISOString()} ${text}`);
      const told = { ...documented(error), hint: error.hint };
      throw new ProbeError(
        error.message,
        { ...told, ...(logs?.length && { logs }) },
        { cause: error },
      );
    },
  };
}
