from kullback.show.comparison.terminal import terminal
