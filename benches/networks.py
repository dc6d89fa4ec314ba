"""PyTorch's side of src/networks: training steps and inference."""


def rows(torch, tensor):
    """Rows by name: each prepares a call that takes no arguments."""
    nn = torch.nn

    def training(net, optimizer, *shape, samples=None):
        x, labels = tensor(*shape), torch.arange(samples or shape[0]) % 10

        def step():
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), labels).backward()
            optimizer.step()

        return step

    def sgd(net):
        return torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def adamw(net):
        return torch.optim.AdamW(net.parameters())

    def mlp():
        net = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
        return training(net, adamw(net), 64, 784)

    def mnist():
        net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, 10),
        )
        return training(net, sgd(net), 64, 1, 28, 28)

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.shortcut = nn.Identity()
            if stride != 1 or inputs != outputs:
                conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    def resnet18():
        layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        for inputs, outputs, stride in [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]:
            layers += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
        net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
        return training(net, sgd(net), 16, 3, 32, 32)

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(384, 6, 4 * 384, dropout=0.0, batch_first=True)
            self.layers = nn.TransformerEncoder(layer, 6)
            self.head = nn.Linear(384, 10)

        def forward(self, x):
            return self.head(self.layers(x).mean(1))

    def encoder():
        net = Encoder()
        return training(net, adamw(net), 8, 128, 384)

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(128, 256)
            self.head = nn.Linear(256, 10)

        def forward(self, x):
            return self.head(self.lstm(x)[1][0][0])

    def lstm():
        net = Classifier()
        return training(net, adamw(net), 64, 32, 128, samples=32)

    class Bottleneck(nn.Module):
        def __init__(self, inputs, width, stride):
            super().__init__()
            outputs = 4 * width
            self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(outputs)
            self.shortcut = nn.Identity()
            if stride != 1 or inputs != outputs:
                conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = torch.relu(self.bn1(self.conv1(x)))
            y = torch.relu(self.bn2(self.conv2(y)))
            return torch.relu(self.bn3(self.conv3(y)) + self.shortcut(x))

    def resnet50():
        layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        inputs = 64
        for width, count, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
            for index in range(count):
                layers.append(Bottleneck(inputs, width, stride if index == 0 else 1))
                inputs = 4 * width
        net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))
        return inference(net, 1, 3, 224, 224)

    def conv_norm(inputs, outputs, kernel, stride, groups):
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [conv, nn.BatchNorm2d(outputs)]

    class InvertedResidual(nn.Module):
        def __init__(self, inputs, outputs, stride, factor):
            super().__init__()
            hidden = inputs * factor
            layers = [*conv_norm(inputs, hidden, 1, 1, 1), nn.ReLU6()] if factor > 1 else []
            layers += [*conv_norm(hidden, hidden, 3, stride, hidden), nn.ReLU6()]
            self.layers = nn.Sequential(*layers, *conv_norm(hidden, outputs, 1, 1, 1))
            self.adds = stride == 1 and inputs == outputs

        def forward(self, x):
            return x + self.layers(x) if self.adds else self.layers(x)

    def mobilenet():
        layers = [*conv_norm(3, 32, 3, 2, 1), nn.ReLU6()]
        inputs = 32
        stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
        for factor, outputs, count, stride in stages:
            for index in range(count):
                layers.append(InvertedResidual(inputs, outputs, stride if index == 0 else 1, factor))
                inputs = outputs
        layers += [*conv_norm(inputs, 1280, 1, 1, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return inference(nn.Sequential(*layers, nn.Linear(1280, 1000)), 1, 3, 224, 224)

    def inference(net, *shape):
        net, x = net.eval(), tensor(*shape)

        def infer():
            with torch.no_grad():
                net(x)

        return infer

    def encoder_inference():
        return inference(Encoder(), 1, 32, 384)

    return {
        "MLP training step, batch 64": mlp,
        "MNIST training step, batch 64": mnist,
        "ResNet-18 training step, batch 16": resnet18,
        "encoder training step, batch 8 x 128": encoder,
        "LSTM training step, batch 32 x 64": lstm,
        "ResNet-50 inference, 1 x 224 x 224": resnet50,
        "MobileNetV2 inference, 1 x 224 x 224": mobilenet,
        "encoder inference, 1 x 32": encoder_inference,
    }
