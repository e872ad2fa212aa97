/**
 * The agent as a service: readiness, status line and watchdog, where a service manager asks for them.
 *
 * Ready means: configured, alone on its data folder, and running. A trial is not waited for, because a health check may
 * itself wait for the boot to be complete, and the boot waits for every service to be ready.
 * @module
 */
import type { AgentConfig, AgentEvent, World } from '../../agent/index.ts';
import { runCommand } from '../../agent/life/commands.ts';
import { agentNetwork, networkBounds } from '../../agent/service/agent-network.ts';
import { notifierOf } from '../../agent/life/notify.ts';
import { Pulse, watchWorld } from '../../agent/life/watchdog.ts';
import { nodeClock } from '../../platform/clock.ts';
import { sha256Node } from '../../platform/hash.ts';
import type { Log } from './log.ts';

export interface Service {
  /** What the agent has to work through, so that its progress shows. */
  readonly world: Partial<World>;
  ready(): Promise<void>;
  stopping(): Promise<void>;
  onEvent(event: AgentEvent): void;
}

/** Null where no service manager asks. */
export function joinService(config: AgentConfig, log: Log): Service | null {
  const notifier = notifierOf(process.env, process.pid, {
    run: runCommand,
    onProblem: ({ message, code }) => log.line({ level: 'error', event: 'service', message, code }),
  });
  if (notifier === null) return null;
  const pulse = new Pulse({ boundMs: config.health.stuckSeconds * 1000 });
  const real = { clock: nodeClock, network: agentNetwork(config), hash: sha256Node, run: runCommand };
  return {
    world: watchWorld(pulse, real, networkBounds(config)),
    async ready() {
      await notifier.ready();
      notifier.beatWith(pulse);
    },
    stopping: () => notifier.stopping(),
    onEvent(event) {
      pulse.beat();
      if (event.type === 'state') void notifier.status(event.state);
    },
  };
}
