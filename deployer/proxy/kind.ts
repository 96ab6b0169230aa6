/** What is known of the proxy's software, in one place. How it ends gracefully is the image's own STOPSIGNAL. */

/** Added to the container's command, it reads its configuration, says what is wrong with it, and ends (nginx and h2o alike). */
export const TEST_FLAG = '-t';

/** The variables of the ports that visitors come to; a rehearsal has others. The port of its status stays, so as to be shared. */
export const PORT_VARIABLES = ['LISTEN_PORT', 'TLS_PORT'] as const;

/**
 * A proxy that has been told to leave has this long, in milliseconds. Less than its own limit (worker_shutdown_timeout, 75 s), so
 * that what is cut is seen and counted; longer than an answer may keep silent (proxy_read_timeout, 65 s).
 */
export const LEAVE_MS = 70_000;

/** How it says that it cannot have a port beside the one that runs. */
export const PORT_IN_USE = /address already in use|EADDRINUSE/i;
