/** Transfers abort signals, which Comlink does not support itself. */
import { type TransferHandler, transferHandlers } from 'comlink';

/** Called on both sides. An import for side effects would not work: according to package.json, files of the page have none. */
export function carrySignals(): void {
  transferHandlers.set('signal', SIGNAL);
}

const SIGNAL: TransferHandler<AbortSignal, MessagePort> = {
  canHandle: (value): value is AbortSignal => value instanceof AbortSignal,
  serialize(signal: AbortSignal): [MessagePort, Transferable[]] {
    const { port1, port2 } = new MessageChannel();
    const abort = () => port1.postMessage(undefined);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    return [port2, [port2]];
  },
  deserialize(port: MessagePort): AbortSignal {
    const controller = new AbortController();
    port.onmessage = () => controller.abort();
    return controller.signal;
  },
};
