/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pool's headers need of <pthread.h> where there are no threads: a mutex that is nothing.
 * In the include path of the WebAssembly build alone.
 */
#ifndef DANPOOL_FREESTANDING_PTHREAD_H
#define DANPOOL_FREESTANDING_PTHREAD_H

struct danpool_no_mutex {
    char nothing;
};
#define pthread_mutex_t struct danpool_no_mutex

#endif
