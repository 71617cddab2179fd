"""Where the book has the section of a notebook."""

_CHAPTERS = {
    2: "chapter_preliminaries: ndarray pandas linear-algebra calculus autograd",
    3: "chapter_linear-regression: linear-regression oo-design synthetic-regression-data linear-regression-scratch "
    "linear-regression-concise generalization weight-decay",
    4: "chapter_linear-classification: softmax-regression image-classification-dataset classification "
    "softmax-regression-scratch softmax-regression-concise generalization-classification "
    "environment-and-distribution-shift",
    5: "chapter_multilayer-perceptrons: mlp mlp-implementation backprop numerical-stability-and-init "
    "generalization-deep dropout kaggle-house-price",
    6: "chapter_builders-guide: model-construction parameters init-param lazy-init custom-layer read-write use-gpu",
    7: "chapter_convolutional-neural-networks: why-conv conv-layer padding-and-strides channels pooling lenet",
    8: "chapter_convolutional-modern: alexnet vgg nin googlenet batch-norm resnet densenet cnn-design",
    12: "chapter_optimization: optimization-intro convexity gd sgd minibatch-sgd momentum adagrad rmsprop adadelta "
    "adam lr-scheduler",
}
"""A chapter's folder, and the pages of its sections in their order."""


def url(notebook: str) -> str:
    """The address of the section that a notebook teaches.

    >>> url("ch05_06_dropout")
    'https://d2l.ai/chapter_multilayer-perceptrons/dropout.html'
    """
    folder, _, pages = _CHAPTERS[int(notebook[2:4])].partition(": ")
    return f"https://d2l.ai/{folder}/{pages.split()[int(notebook[5:7]) - 1]}.html"
