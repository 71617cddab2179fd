/* One epoch of an MLP with one hidden layer, as an expert would write it for this one network: relu, softmax and
   cross-entropy, plain minibatch SGD, float32. Matrices are row by row, products are OpenBLAS's; the update of the
   weights is part of the product that computes their gradient. Everything else is one pass over its memory. OpenMP
   shares out all of it, the rows of the products too: OpenBLAS itself has one thread, since two pools of threads would
   wait for each other. bench/openblas.py compiles and calls it. */

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };

typedef void (*sgemm_t)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                        int lda, const float *b, int ldb, float beta, float *c, int ldc);

typedef struct {
    int inputs, hidden, classes;
    float *w1, *b1, *w2, *b2; /* (inputs, hidden), (hidden), (hidden, classes), (classes) */
    float *x, *h, *o, *dh;    /* room for one batch: inputs, hidden units, logits and their gradient, gradient of h */
} mlp_t;

/* C becomes alpha A B + beta C; A may be stored transposed, and each thread computes some rows of C. */
static void product(sgemm_t sgemm, int a_is, int b_is, int m, int n, int k, float alpha, const float *a, int lda,
                    const float *b, int ldb, float beta, float *c, int ldc) {
#pragma omp parallel
    {
        int thread = omp_get_thread_num(), threads = omp_get_num_threads();
        int from = m * thread / threads, rows = m * (thread + 1) / threads - from;
        const float *of_a = a + (a_is == PLAIN ? (size_t)from * lda : (size_t)from);
        sgemm(ROW_MAJOR, a_is, b_is, rows, n, k, alpha, of_a, lda, b, ldb, beta, c + (size_t)from * ldc, ldc);
    }
}

/* The examples of a batch, from bytes to numbers in [0, 1]. */
static void gather(const mlp_t *net, const uint8_t *images, const int32_t *order, int n) {
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        const uint8_t *from = images + (size_t)order[i] * net->inputs;
        float *to = net->x + (size_t)i * net->inputs;
        for (int j = 0; j < net->inputs; j++) to[j] = from[j] * (1.0f / 255.0f);
    }
}

static void rows_of(float *matrix, const float *bias, int n, int width) {
    for (int i = 0; i < n; i++) memcpy(matrix + (size_t)i * width, bias, width * sizeof(float));
}

static void relu(float *h, size_t n) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) h[i] = h[i] > 0 ? h[i] : 0;
}

/* Logits become the gradient of the mean cross-entropy, which is returned. */
static float softmax_and_loss(float *o, const int32_t *labels, const int32_t *order, int n, int classes) {
    double sum_of_losses = 0;
    for (int i = 0; i < n; i++) {
        float *row = o + (size_t)i * classes, largest = row[0], sum = 0;
        int label = labels[order[i]];
        for (int j = 1; j < classes; j++) largest = row[j] > largest ? row[j] : largest;
        float of_label = row[label] - largest;
        for (int j = 0; j < classes; j++) sum += row[j] = expf(row[j] - largest);
        for (int j = 0; j < classes; j++) row[j] /= sum * n;
        row[label] -= 1.0f / n;
        sum_of_losses += logf(sum) - of_label;
    }
    return (float)(sum_of_losses / n);
}

/* Where relu gave 0 the gradient is 0. */
static void back_through_relu(float *dh, const float *h, size_t n) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) dh[i] = h[i] > 0 ? dh[i] : 0;
}

static void descend(float *bias, const float *gradient, float lr, int n, int width) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < width; j++) bias[j] -= lr * gradient[(size_t)i * width + j];
}

void epoch(sgemm_t sgemm, const mlp_t *net, const uint8_t *images, const int32_t *labels, const int32_t *order,
           int examples, int batch_size, float lr, float *losses) {
    int d = net->inputs, k = net->hidden, c = net->classes;
    for (int start = 0, step = 0; start < examples; start += batch_size, step++) {
        int n = examples - start < batch_size ? examples - start : batch_size;
        const int32_t *batch = order + start;
        gather(net, images, batch, n);
        rows_of(net->h, net->b1, n, k);
        product(sgemm, PLAIN, PLAIN, n, k, d, 1, net->x, d, net->w1, k, 1, net->h, k);
        relu(net->h, (size_t)n * k);
        rows_of(net->o, net->b2, n, c);
        product(sgemm, PLAIN, PLAIN, n, c, k, 1, net->h, k, net->w2, c, 1, net->o, c);
        losses[step] = softmax_and_loss(net->o, labels, batch, n, c);
        product(sgemm, PLAIN, TRANSPOSED, n, k, c, 1, net->o, c, net->w2, c, 0, net->dh, k);
        back_through_relu(net->dh, net->h, (size_t)n * k);
        product(sgemm, TRANSPOSED, PLAIN, k, c, n, -lr, net->h, k, net->o, c, 1, net->w2, c);
        descend(net->b2, net->o, lr, n, c);
        product(sgemm, TRANSPOSED, PLAIN, d, k, n, -lr, net->x, d, net->dh, k, 1, net->w1, k);
        descend(net->b1, net->dh, lr, n, k);
    }
}
